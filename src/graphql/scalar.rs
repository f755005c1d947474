//! The scalar `Decimal`, and ids as arguments.

use std::str::FromStr;

use async_graphql::{
    Description, Error, ID, InputType, InputValueError, InputValueResult, Pos, Scalar, ScalarType,
    Value,
};
use chrono::{DateTime, Utc};
use entity::ids::InvalidId;

use super::error::{Code, coded};
use crate::domain::{
    money::{Currency, Money},
    refusal,
};

/// An exact amount of the marketplace's currency, as a string: `"12000"`, or `"12.50"` where the
/// currency has fraction digits. An integer literal is accepted too; a float literal is not.
#[derive(Debug, Clone, PartialEq, Eq, Description)]
pub struct Decimal(String);

#[Scalar(use_type_description, specified_by_url = "https://www.w3.org/TR/xmlschema11-2/#decimal")]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            // Whether it is an amount is judged with the currency, as a refusal that names the
            // field: here only the kind of value counts.
            Value::String(text) if text.len() <= 64 => Ok(Self(text)),
            Value::Number(number) if number.is_i64() || number.is_u64() => {
                Ok(Self(number.to_string()))
            }
            Value::Number(_) => Err(InputValueError::custom(
                "amounts are strings or integers: a float is not exact",
            )),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

impl Decimal {
    /// Money in the API's form.
    pub fn of(money: Money, currency: &Currency) -> Self {
        Self(currency.format(money))
    }

    /// The amount; else a refusal that names the field.
    pub fn amount(
        &self,
        currency: &Currency,
        field: &'static [&'static str],
    ) -> Result<Money, refusal::Refusal> {
        currency.parse(&self.0).map_err(|_| {
            let message = "An amount is a positive number of at most 10^15 minor units, without \
                           sign or exponent, with no more fraction digits than the currency has.";
            refusal::Refusal::new(refusal::Code::InvalidAmount, message).at(field)
        })
    }
}

/// What is wrong with a value of one of our own scalars; `None` when nothing is.
pub fn scalar_fault(name: &str, value: &Value) -> Option<String> {
    let fault = match name {
        "Decimal" => <Decimal as ScalarType>::parse(value.clone()).err().map(into_text),
        "DateTime" => <DateTime<Utc> as ScalarType>::parse(value.clone()).err().map(into_text),
        _ => None,
    };
    fault.map(|fault| format!("it is no {name}: {fault}"))
}

/// The library's words for a fault, without its head.
fn into_text<T: InputType>(fault: InputValueError<T>) -> String {
    let error = fault.into_server_error(Pos::default()).message;
    error.split_once(": ").map_or_else(|| error.clone(), |(_, why)| why.to_owned())
}

/// An id argument of a query: a malformed one is an error of its own.
pub fn id<T: FromStr<Err = InvalidId>>(id: &ID, argument: &str) -> Result<T, Error> {
    id.parse().map_err(|error| coded(Code::BadUserInput, format!("{argument}: {error}")))
}
