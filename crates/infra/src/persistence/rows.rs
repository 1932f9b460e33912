//! Many rows at a time, in statements that are written here: the ORM takes as long to write one as the database to carry it
//! out.
//!
//! PostgreSQL is given an array for each column, in one statement for any number of rows. SQLite is given the values one by
//! one.

use sea_orm::sea_query::ArrayType;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};

use super::batch::{padded, portions};

/// A table, and the columns that are put into it.
pub(super) struct Table<const COLUMNS: usize> {
    pub(super) name: &'static str,
    pub(super) columns: [Column; COLUMNS],
}

/// A column.
#[derive(Clone, Copy)]
pub(super) struct Column {
    name: &'static str,
    /// Its type on PostgreSQL.
    kind: &'static str,
    /// The value that stands for null in an array, which can have no nulls here. No row has it.
    blank: Option<&'static str>,
}

impl Column {
    /// A column without nulls.
    pub(super) const fn new(name: &'static str, kind: &'static str) -> Self {
        Self { name, kind, blank: None }
    }

    /// A text that may be null, and is never empty.
    pub(super) const fn text_or_null(name: &'static str) -> Self {
        Self { name, kind: "text", blank: Some("") }
    }

    /// A UUID that may be null, and has never no bit set.
    pub(super) const fn uuid_or_null(name: &'static str) -> Self {
        Self { name, kind: "uuid", blank: Some("00000000-0000-0000-0000-000000000000") }
    }

    /// What to select of an array's element.
    fn selected(self) -> String {
        let Self { name, kind, blank } = self;
        blank.map_or_else(|| name.to_owned(), |blank| format!("NULLIF({name},'{blank}'::{kind})"))
    }
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// Inserts `rows`; `values` makes one of each.
    pub(super) async fn insert<T>(
        &self,
        database: &impl ConnectionTrait,
        rows: Vec<T>,
        values: fn(T) -> [Value; COLUMNS],
    ) -> Result<(), DbErr> {
        let backend = database.get_database_backend();
        let rows: Vec<_> = rows.into_iter().map(values).collect();
        let statements: Vec<_> = match backend {
            DbBackend::Postgres if rows.is_empty() => Vec::new(),
            DbBackend::Postgres => vec![(self.of_arrays(), arrays(rows))],
            _ => portions(rows).map(|rows| (self.of_values(rows.len()), rows.into_flattened())).collect(),
        };
        for (statement, values) in statements {
            database.execute_raw(Statement::from_sql_and_values(backend, statement, values)).await?;
        }
        Ok(())
    }

    /// Looks for the rows whose first two columns, by which no two are the same, are one of `pairs`.
    pub(super) fn find(&self, backend: DbBackend, pairs: Vec<[Value; 2]>) -> Vec<Statement> {
        match backend {
            DbBackend::Postgres if pairs.is_empty() => Vec::new(),
            DbBackend::Postgres => {
                let statement = self.find_in_arrays();
                vec![Statement::from_sql_and_values(backend, statement, arrays(pairs))]
            }
            _ => padded(&pairs)
                .map(|pairs| {
                    let statement = self.find_in_values(pairs.len());
                    Statement::from_sql_and_values(backend, statement, pairs.concat())
                })
                .collect(),
        }
    }

    /// One after the other, by the index, whatever PostgreSQL thinks how many there are: it knows nothing of arrays to come.
    fn find_in_arrays(&self) -> String {
        let (a, b) = (self.columns[0], self.columns[1]);
        format!(
            "SELECT found.* FROM UNNEST($1::{}[], $2::{}[]) AS wanted(a, b) CROSS JOIN LATERAL \
             (SELECT * FROM {} WHERE {} = wanted.a AND {} = wanted.b LIMIT 1) AS found",
            a.kind, b.kind, self.name, a.name, b.name,
        )
    }

    fn find_in_values(&self, pairs: usize) -> String {
        let (a, b) = (self.columns[0].name, self.columns[1].name);
        let pairs = vec!["(?,?)"; pairs].join(",");
        format!("SELECT * FROM {} WHERE ({a}, {b}) IN (VALUES {pairs})", self.name)
    }

    fn of_values(&self, rows: usize) -> String {
        let row = format!("({})", ["?"; COLUMNS].join(","));
        format!("INSERT INTO {} ({}) VALUES {}", self.name, self.names(), vec![row; rows].join(","))
    }

    fn of_arrays(&self) -> String {
        let arrays = (1..).zip(self.columns).map(|(number, column)| format!("${number}::{}[]", column.kind));
        format!(
            "INSERT INTO {} ({names}) SELECT {} FROM UNNEST({}) AS new({names})",
            self.name,
            self.columns.map(Column::selected).join(","),
            arrays.collect::<Vec<_>>().join(","),
            names = self.names(),
        )
    }

    fn names(&self) -> String {
        self.columns.map(|column| column.name).join(",")
    }
}

/// An array for each column.
fn arrays<const COLUMNS: usize>(rows: Vec<[Value; COLUMNS]>) -> Vec<Value> {
    let mut arrays = [const { Vec::new() }; COLUMNS];
    for row in rows {
        for (array, value) in arrays.iter_mut().zip(row) {
            array.push(if value.is_some() { value } else { value.dummy_value() });
        }
    }
    arrays.map(array).into()
}

fn array(values: Vec<Value>) -> Value {
    let kind = values.first().map_or(ArrayType::String, Value::array_type);
    Value::Array(kind, Some(Box::new(values)))
}
