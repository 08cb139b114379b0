"""Forms: form-js schemas compiled to rules for answers, and answers shown to people."""

from __future__ import annotations

from engine.forms.display import FieldInfo
from engine.forms.form import Form, compile_form
from engine.forms.rights import FieldRights, rights_of

__all__ = ["FieldInfo", "FieldRights", "Form", "compile_form", "rights_of"]
