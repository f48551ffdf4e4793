"""What deserves a look in a recording, in sentences, worst first; each rule stands for a kind."""
