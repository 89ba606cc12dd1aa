"""What changed about a device during a run, in words."""

from __future__ import annotations

from benchmarks.record import DeviceState

WARMER = 10.0  # °C
SLOWER_CLOCK = 0.9


def disturbances(states: list[DeviceState]) -> list[str]:
    """Changes of the thermal status, a sensor that got ``WARMER``, and a fastest core that slowed down."""
    flags = []
    if len(statuses := {s.thermal_status for s in states if s.thermal_status is not None}) > 1:
        flags.append(f"thermal status changed between {min(statuses)} and {max(statuses)}")
    for sensor in states[0].temperatures if states else ():
        degrees = [s.temperatures[sensor] for s in states if sensor in s.temperatures]
        if max(degrees) - degrees[0] >= WARMER:
            flags.append(f"{sensor} warmed from {degrees[0]:.0f} to {max(degrees):.0f} °C")
    # Idle clocks are low by design, so only states under load are compared.
    clocks = [max(s.clocks.values()) for s in states if s.when == "during" and s.clocks]
    if len(clocks) > 1 and min(clocks) < SLOWER_CLOCK * max(clocks):
        flags.append(f"the fastest core ran between {min(clocks):.0f} and {max(clocks):.0f} MHz")
    return flags
