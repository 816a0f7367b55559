"""The simulated patient in Slicer's Sample Data module."""

import slicer


def test_the_sample_patient_is_registered_and_loads_offline(session, module):
    import SampleData

    nodes = SampleData.SampleDataLogic().downloadSamples("MRSISuperResSimulatedPatient")
    names = [node.GetName() for node in nodes]
    assert names == ["T1 (simulated)", "FLAIR (simulated)", "tCho 16x16 (simulated)", "NAA 16x16 (simulated)"]
    assert {node.GetClassName() for node in nodes} == {"vtkMRMLScalarVolumeNode"}


def test_what_is_loaded_while_another_module_is_open_is_found(session, module):
    import SampleData

    panel = session.open_panel()
    session.leave_panel()
    SampleData.SampleDataLogic().downloadSamples("MRSISuperResSimulatedPatient")
    session.open_panel()
    parameters = panel.panel.parameters
    assert parameters.t1.GetName() == "T1 (simulated)"
    assert parameters.flair.GetName() == "FLAIR (simulated)"
    # What the user leaves empty stays empty.
    session.choose(panel.ui.t1Selector, None)
    session.leave_panel()
    session.open_panel()
    assert parameters.t1 is None


def test_the_panel_uses_what_was_loaded_from_sample_data(session, module):
    import SampleData

    SampleData.SampleDataLogic().downloadSamples("MRSISuperResSimulatedPatient")
    panel = session.open_panel()
    assert panel.panel.parameters.t1.GetName() == "T1 (simulated)"
    assert panel.panel.parameters.flair.GetName() == "FLAIR (simulated)"
    session.click(panel.ui.sampleButton)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 4
    assert panel.ui.applyButton.enabled
