"""What pages and terminals show: typed content, sums, advice, disclosure."""
