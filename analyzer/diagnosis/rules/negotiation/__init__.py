"""Causes in what the two ends offered, chose and could not agree on.

``_refused`` tells who refused where; ``_offer`` what a hello can do; ``_suspects`` weighs the parts of a
refused offer against each other, so that one alert, handshake_failure, gets one answer.
"""
