"""The pre-trained zero-shot network: what it reads of a series, its weights, and how it is trained."""
