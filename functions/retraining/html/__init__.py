"""What pages and reports share: templates, the style sheet, how numbers and words are written, pictures."""
