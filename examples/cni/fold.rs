//! Others' JSON as Go reads it: keys in any spelling of capitals, and `null` for what is not there.

use serde_json::Value;

/// The same with all keys in lower case and without whatever is `null`.
pub(crate) fn fold(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let there = fields.iter().filter(|(_, value)| !value.is_null());
            let folded = there.map(|(key, value)| (key.to_lowercase(), fold(value)));
            Value::Object(folded.collect())
        }
        Value::Array(items) => {
            let there = items.iter().filter(|item| !item.is_null());
            Value::Array(there.map(fold).collect())
        }
        other => other.clone(),
    }
}
