"""The metric `judge`: a vision-language model says whether two pictures show one individual.

metric.py     the metric: pictures as they are sent, several requests at a time
tally.py      how many pairs have no score, and when that is too many
rubric.py     what is asked
client.py     asking it: again where the endpoint is busy, otherwise where it does not take something
address.py    the endpoint's address and key
replies.py    what its answers come to
answers.py    the score in what the model wrote
workers.py    threads
record.py     the file of all answers
"""

from nearid_cli.measures.judge.metric import Judge

__all__ = ["Judge"]
