"""Stand-ins for the parts of the 3D Slicer application that no Python package carries.

Real here: MRML, the modules' logics, slice blending and `slicer.util` (slicer-core), and Qt (PySide6).
Stood in for: PythonQt, ctk and qMRML widgets, the application object, module loading, Slicer's dialogs,
`ScriptedLoadableModule`, `parameterNodeWrapper` and `i18n`. Where the environment variable SLICER_PYTHON names a
folder with Slicer's own `slicer/` Python files, those three are Slicer's own.

They are as strict as a real Slicer was seen to be (`Testing/module/README.md`). They can't show how ctk and qMRML
behave beyond that, nor module discovery, the extension's build, Slicer's pip, or 3D views.
"""
