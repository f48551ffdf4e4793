"""What every column of every table is. Definitions come in from here only; tables, exports and the
page of numbers are made by them."""
