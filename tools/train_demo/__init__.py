"""Makes the embedded demo model: synthetic questions, tokenizer, training, evaluation."""
