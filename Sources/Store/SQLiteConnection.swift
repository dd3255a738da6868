import APISchema
import GRDB
import GRDBSQLite

/// A connection of GRDB's pool. GRDB opens it, keeps its statements prepared and says when it may be used; stepping and reading columns
/// goes to SQLite directly, since GRDB's rows and observers cost more than the work itself.
final class SQLiteConnection: SQLConnection {
    private let database: Database
    private let path: String
    private var lastRevision: Int?

    init(_ database: Database, path: String) {
        self.database = database
        self.path = path
    }

    var dialect: SQLDialect { .sqlite }

    func execute(_ sql: String, _ arguments: [ColumnValue], isCached: Bool) throws(StoreError) -> Int {
        try query(sql, arguments, isCached: isCached) { _ in }
        return Int(sqlite3_changes(database.sqliteConnection))
    }

    func query(
        _ sql: String, _ arguments: [ColumnValue], isCached: Bool, _ body: (RowReader) throws(StoreError) -> Void
    ) throws(StoreError) {
        let statement = try prepare(sql, isCached: isCached)
        // The Statement owns the pointer: it must outlive the last step.
        defer { withExtendedLifetime(statement) {} }
        let pointer = statement.sqliteStatement
        defer {
            sqlite3_reset(pointer)
            sqlite3_clear_bindings(pointer)
        }
        bind(arguments, to: pointer)
        while true {
            switch sqlite3_step(pointer) {
            case SQLITE_ROW: try body(.sqlite(pointer))
            case SQLITE_DONE: return
            default: throw failure()
            }
        }
    }

    func executeScript(_ sql: String) throws(StoreError) {
        guard sqlite3_exec(database.sqliteConnection, sql, nil, nil, nil) == SQLITE_OK else { throw failure() }
    }

    /// There is one writer, so the next number is nobody else's, and while its transaction lasts it knows the last one.
    func takeRevision() throws(StoreError) -> Int {
        if lastRevision == nil { lastRevision = try integer("SELECT max(revision) FROM change_log") ?? 0 }
        let revision = (lastRevision ?? 0) + 1
        lastRevision = revision
        return revision
    }

    /// The log is to be asked for its last revision again: another transaction begins, or a part of this one was undone.
    func forgetRevision() { lastRevision = nil }

    /// In a savepoint the deferred keys would be checked only by the commit that others share; the counter of open violations tells now.
    func checkForeignKeys() throws(StoreError) {
        var current: Int32 = 0
        var highest: Int32 = 0
        sqlite3_db_status(database.sqliteConnection, SQLITE_DBSTATUS_DEFERRED_FKS, &current, &highest, 0)
        guard current == 0 else { throw .foreignKeyViolation(detail: "FOREIGN KEY constraint failed") }
    }

    /// Whether a transaction is open: SQLite ends it by itself after some failures (a full disk).
    var isInTransaction: Bool { sqlite3_get_autocommit(database.sqliteConnection) == 0 }

    private func prepare(_ sql: String, isCached: Bool) throws(StoreError) -> Statement {
        do {
            return isCached ? try database.cachedStatement(sql: sql) : try database.makeStatement(sql: sql)
        } catch let error as DatabaseError {
            throw Self.storeError(code: error.extendedResultCode.rawValue, message: error.message ?? error.description, path: path)
        } catch {
            throw .refused("\(error)")
        }
    }

    private func bind(_ arguments: [ColumnValue], to statement: OpaquePointer) {
        precondition(
            arguments.count == Int(sqlite3_bind_parameter_count(statement)), "a statement has as many arguments as question marks")
        // SQLITE_TRANSIENT, a macro that Swift does not import: SQLite copies the text before the call returns.
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        for (position, argument) in arguments.enumerated() {
            let index = Int32(position + 1)
            switch argument {
            case .null: sqlite3_bind_null(statement, index)
            case .integer(let number): sqlite3_bind_int64(statement, index, Int64(number))
            case .text(let text): sqlite3_bind_text(statement, index, text, Int32(text.utf8.count), transient)
            }
        }
    }

    private func failure() -> StoreError {
        let connection = database.sqliteConnection
        let message = sqlite3_errmsg(connection).map { String(cString: $0) } ?? "unknown failure"
        return Self.storeError(code: sqlite3_extended_errcode(connection), message: message, path: path)
    }

    /// What a result code of SQLite (https://www.sqlite.org/rescode.html) means for callers.
    static func storeError(code: Int32, message: String, path: String) -> StoreError {
        switch code {
        case SQLiteExtendedCode.constraintUnique, SQLiteExtendedCode.constraintPrimaryKey:
            return .uniqueViolation(constraint: constraint(in: message))
        case SQLiteExtendedCode.constraintForeignKey: return .foreignKeyViolation(detail: message)
        default: break
        }
        switch code & 0xFF {
        case SQLITE_CORRUPT, SQLITE_NOTADB: return .corrupt("\(path) is damaged or no SQLite file (\(message))")
        case SQLITE_READONLY, SQLITE_CANTOPEN, SQLITE_PERM: return .notWritable(path)
        case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_FULL, SQLITE_IOERR, SQLITE_NOMEM, SQLITE_INTERRUPT, SQLITE_ABORT:
            return .unavailable("\(path): \(message)")
        default: return .refused(message)
        }
    }

    /// `UNIQUE constraint failed: ports.network_id, ports.mac_address` → `ports(network_id,mac_address)`.
    private static func constraint(in message: String) -> String {
        guard let colon = message.firstIndex(of: ":") else { return message }
        let names = message[message.index(after: colon)...].split(whereSeparator: { $0 == "," || $0 == " " })
        let columns = names.compactMap { $0.split(separator: ".").last.map(String.init) }
        guard let table = names.first?.split(separator: ".").first else { return message }
        return "\(table)(\(columns.joined(separator: ",")))"
    }
}

/// Extended result codes that are macros with arithmetic in sqlite3.h.
private enum SQLiteExtendedCode {
    static let constraintForeignKey = SQLITE_CONSTRAINT | 3 << 8
    static let constraintPrimaryKey = SQLITE_CONSTRAINT | 6 << 8
    static let constraintUnique = SQLITE_CONSTRAINT | 8 << 8
}
