"""What each offer changes for each user: averages and differences, shrunk as the data say."""
