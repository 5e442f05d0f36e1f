"""The doctor: is this cluster, this wallet and this market what the configuration says, and may it be traded?

``examine`` reads the chain and holds it against a ``Case``; each finding says pass, fail or unknown, and what to do.
"""

from keeper.doctor.case import Case
from keeper.doctor.examination import examine
from keeper.doctor.finding import Examination, Finding, Scope, Status

__all__ = ["Case", "Examination", "Finding", "Scope", "Status", "examine"]
