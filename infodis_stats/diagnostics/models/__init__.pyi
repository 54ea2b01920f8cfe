from .check import ModelCheck as ModelCheck
from .check import check_checkpoint as check_checkpoint
from .check import check_model as check_model
from .validation import Validation as Validation
from .validation import validate_model as validate_model
