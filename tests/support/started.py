"""What is started when a block is entered, and ended when it is left or could not start."""

from abc import ABC, abstractmethod
from typing import Self


class Started(ABC):
    """A server that a `with` starts and ends."""

    @abstractmethod
    def start(self) -> object:
        """Start it, and wait until it answers."""

    @abstractmethod
    def close(self) -> None:
        """End it, frozen or not, and remove its data. May be called again."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
