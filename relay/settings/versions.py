from pydantic import Field

from relay.settings.group import SettingsGroup

UNKNOWN_VERSION = "Unknown"


class VersionSettings(SettingsGroup):
    """The component versions that go into an envelope's metadata."""

    self_version: str = Field(UNKNOWN_VERSION, description="of the service itself")
    installer_image: str = Field(UNKNOWN_VERSION, description="of the installer")
    controller_image: str = Field(UNKNOWN_VERSION, description="of the installer's controller")
    agent_docker_image: str = Field(UNKNOWN_VERSION, description="of the discovery agent")

    release_tag: str = Field(
        UNKNOWN_VERSION, description="of the release as a whole, for existing consumers"
    )

    def versions(self) -> dict[str, str]:
        """Return component to version, as consumers know the components."""
        return {
            "assisted-installer": self.installer_image,
            "assisted-installer-controller": self.controller_image,
            "assisted-installer-service": self.self_version,
            "discovery-agent": self.agent_docker_image,
        }
