from .diagnose import diagnose_result as diagnose_result
from .verdict import Diagnosis as Diagnosis
from .verdict import Verdict as Verdict
