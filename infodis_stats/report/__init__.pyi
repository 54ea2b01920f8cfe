from .diagnosis import write_diagnosis as write_diagnosis
from .index import write_index as write_index
from .model_check import write_model_check as write_model_check
from .scan import write_scans as write_scans
from .summary_table import Summary as Summary
from .summary_table import summary as summary
