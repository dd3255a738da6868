import APISchema
import CPostgreSQL
import GRDBSQLite

/// The current row of a query, read column by column without a copy of the row.
enum RowReader {
    /// A statement that has just stepped onto a row.
    case sqlite(OpaquePointer)
    /// A result and the number of the row in it.
    case postgresql(OpaquePointer, Int32)

    var columnCount: Int {
        switch self {
        case .sqlite(let statement): Int(sqlite3_column_count(statement))
        case .postgresql(let result, _): Int(PQnfields(result))
        }
    }

    subscript(column: Int) -> ColumnValue {
        switch self {
        case .sqlite(let statement): Self.value(statement, Int32(truncatingIfNeeded: column))
        case .postgresql(let result, let row): Self.value(result, row, Int32(truncatingIfNeeded: column))
        }
    }

    private static func value(_ statement: OpaquePointer, _ column: Int32) -> ColumnValue {
        switch sqlite3_column_type(statement, column) {
        case SQLITE_NULL: return .null
        case SQLITE_INTEGER: return .integer(Int(sqlite3_column_int64(statement, column)))
        default:
            // The text first: asking for its bytes converts what is not text yet.
            guard let text = sqlite3_column_text(statement, column) else { return .null }
            let bytes = UnsafeBufferPointer(start: text, count: Int(sqlite3_column_bytes(statement, column)))
            return .text(String(decoding: bytes, as: UTF8.self))
        }
    }

    /// The identities of PostgreSQL's integer types int8, int2 and int4 in its catalogue `pg_type`, which never change.
    private static let integerTypes: (Oid, Oid, Oid) = (20, 21, 23)

    private static func value(_ result: OpaquePointer, _ row: Int32, _ column: Int32) -> ColumnValue {
        guard PQgetisnull(result, row, column) == 0, let start = PQgetvalue(result, row, column) else { return .null }
        let bytes = UnsafeRawBufferPointer(start: start, count: Int(PQgetlength(result, row, column)))
        let type = PQftype(result, column)
        if type == integerTypes.0 || type == integerTypes.1 || type == integerTypes.2 { return .integer(decimal(bytes)) }
        return .text(String(decoding: bytes, as: UTF8.self))
    }

    /// An integer as PostgreSQL writes it.
    private static func decimal(_ bytes: UnsafeRawBufferPointer) -> Int {
        let isNegative = bytes.first == UInt8(ascii: "-")
        var value = 0
        for byte in bytes.dropFirst(isNegative ? 1 : 0) {
            // Downwards, so that the smallest number fits as well.
            value = value &* 10 &- Int(byte &- UInt8(ascii: "0"))
        }
        return isNegative ? value : 0 &- value
    }
}
