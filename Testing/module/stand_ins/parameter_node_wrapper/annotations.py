"""What may stand in `Annotated` beside a parameter's type."""

from dataclasses import dataclass


class Validator:
    """Checks a value before it is stored; a module may derive its own."""

    def validate(self, value):
        raise NotImplementedError(f"{type(self).__name__} has no validate.")


class NotNone(Validator):
    """The value isn't None."""

    def validate(self, value):
        if value is None:
            raise ValueError("Value must not be None")


class IsInstance(Validator):
    """The value is of a type, or of one of several."""

    def __init__(self, classtype):
        self.classtype = classtype

    def validate(self, value):
        if not isinstance(value, self.classtype):
            raise TypeError(f"Value must be a {self.classtype}, is {value!r}")


class Minimum(Validator):
    """The value is at least `minimum`."""

    def __init__(self, minimum):
        self.minimum = minimum

    def validate(self, value):
        if value < self.minimum:
            raise ValueError(f"Value must be at least {self.minimum}, is {value}")


class Maximum(Validator):
    """The value is at most `maximum`."""

    def __init__(self, maximum):
        self.maximum = maximum

    def validate(self, value):
        if value > self.maximum:
            raise ValueError(f"Value must be at most {self.maximum}, is {value}")


class WithinRange(Validator):
    """The value lies between two others or is one of them."""

    def __init__(self, minimum, maximum):
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value):
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within range [{self.minimum}, {self.maximum}], is {value}")


class Choice(Validator):
    """The value is one of a list."""

    def __init__(self, choices):
        self.choices = list(choices)

    def validate(self, value):
        if value not in self.choices:
            raise ValueError(f"Value must be one of {self.choices}, is {value!r}")


class Exclude(Validator):
    """The value is none of a list."""

    def __init__(self, choices):
        self.choices = list(choices)

    def validate(self, value):
        if value in self.choices:
            raise ValueError(f"Value must not be one of {self.choices}, is {value!r}")


class Default:
    """The value a parameter has until it is set, or what makes it."""

    def __init__(self, value=None, *, generator=None):
        self._value, self._generator = value, generator

    @property
    def value(self):
        return self._generator() if self._generator is not None else self._value


@dataclass(frozen=True)
class Decimals:
    """How many decimals a widget shows."""

    value: int


@dataclass(frozen=True)
class SingleStep:
    """A widget's step."""

    value: float


@dataclass(frozen=True)
class Label:
    """What people read instead of the parameter's name."""

    value: str
