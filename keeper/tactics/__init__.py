"""What several strategies reckon alike, as pure as they are: yields, ways in and out, levered positions."""
