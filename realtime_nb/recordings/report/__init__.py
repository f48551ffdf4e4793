"""A recording as one page that opens anywhere: audio, pictures, tables, findings."""

from realtime_nb.recordings.report.page import report_html, write_report

__all__ = ["report_html", "write_report"]
