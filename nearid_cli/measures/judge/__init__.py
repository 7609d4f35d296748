"""The metric `judge`: a vision-language model says whether two pictures show one individual.

metric.py     the metric: pictures as they are sent, several requests at a time, what is counted
client.py     the endpoint: requests, and again where it is busy
answers.py    the score in what the model wrote
rubric.py     what it is asked
record.py     the file of all answers
"""

from nearid_cli.measures.judge.metric import Judge

__all__ = ["Judge"]
