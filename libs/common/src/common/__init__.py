"""What two or more of Tandem's services share."""
