"""What a test saw, as people and machines read it: transcripts, reports, their labels."""
