"""Topic labels, bounded in number."""

from threading import Lock
from typing import Final

OTHER_TOPICS: Final = "other"
TOPIC_LABELS_MAX: Final = 100


class TopicLabels:
    """Keeps the number of topic labels bounded, since writers choose the topics."""

    def __init__(self, limit: int = TOPIC_LABELS_MAX) -> None:
        self._limit = limit
        self._known: set[str] = set()
        self._lock = Lock()

    def __call__(self, topic: str) -> str:
        """Return the label for *topic*: its name, or "other" beyond the limit."""
        if topic in self._known:
            return topic
        with self._lock:
            if len(self._known) >= self._limit and topic not in self._known:
                return OTHER_TOPICS
            self._known.add(topic)
        return topic
