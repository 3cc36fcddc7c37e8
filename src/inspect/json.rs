//! Docker's ways of writing what is not there, and what is on or off. Forms of fields alone; which
//! fields there are is the business of those who show them.

/// A value as its text, and as `""` where there is none. `null` is read as none too.
pub(super) mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in crate::inspect) fn serialize<T, S>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error>
    where
        T: Display,
        S: Serializer,
    {
        match value {
            Some(value) => to.collect_str(value),
            None => to.serialize_str(""),
        }
    }

    pub(in crate::inspect) fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        match Option::<String>::deserialize(from)?.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => text.parse().map(Some).map_err(D::Error::custom),
        }
    }
}

/// On as `true`, off as `false`.
pub(super) mod switch {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::plan::Switch;

    pub(in crate::inspect) fn serialize<S: Serializer>(
        switch: &Switch,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_bool(switch.is_on())
    }

    pub(in crate::inspect) fn deserialize<'de, D>(from: D) -> Result<Switch, D::Error>
    where
        D: Deserializer<'de>,
    {
        bool::deserialize(from).map(|on| if on { Switch::On } else { Switch::Off })
    }

    /// For Docker's older forms, which did not have the field.
    pub(in crate::inspect) fn off() -> Switch {
        Switch::Off
    }
}

/// A map that is read from `null` as empty.
pub(super) fn or_empty<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: Default + serde::Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    <Option<T> as serde::Deserialize>::deserialize(from).map(Option::unwrap_or_default)
}
