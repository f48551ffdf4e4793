"""A recording as one page that opens anywhere: audio, pictures, tables, findings."""

from realtime_nb.recordings.report.page import ReportPath, report_html, write_report

__all__ = ["ReportPath", "report_html", "write_report"]
