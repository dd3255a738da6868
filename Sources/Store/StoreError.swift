/// Why the store could not do what it was asked.
public enum StoreError: Error, Hashable, Sendable {
    /// A row with that key exists. The constraint is written `table(column,column)`, the same on both databases.
    case uniqueViolation(constraint: String)
    /// A row points to one that does not exist, or one that is still pointed to was to be deleted. The detail is the database's text.
    case foreignKeyViolation(detail: String)
    /// `update` of a resource that is not there.
    case missingRow(kind: String, id: String)
    /// The database cannot be reached, is full, or has too much waiting work. The caller may try again later.
    case unavailable(String)
    /// The database's server takes no writes, as a standby.
    case readOnly(String)
    /// Another file was put in the place of the open one, or none.
    case replaced(String)
    /// Another server runs on the file.
    case inUse(String)
    /// The database was written by a later version of this program.
    case newerSchema(location: String, version: Int, supported: Int)
    /// The file is damaged, no database, or another program's.
    case corrupt(String)
    /// The file or its directory may not be written.
    case notWritable(String)
    /// The directory of the file does not exist.
    case missingDirectory(String)
    /// The database refused a statement: a mistake of this program.
    case refused(String)
}

extension StoreError: CustomStringConvertible {
    /// One sentence that says what to do.
    public var description: String {
        switch self {
        case .uniqueViolation(let constraint): "A row with the same \(constraint) exists already."
        case .foreignKeyViolation(let detail): "A row that others need is missing or still in use: \(detail)."
        case .missingRow(let kind, let id): "There is no row \(id) in \(kind) to update."
        case .unavailable(let reason): "The database is unavailable: \(reason)."
        case .readOnly(let reason):
            "The database takes no changes (\(reason)): make its server the primary again, or name the one that is with --database. A URL with all "
                + "of them and target_session_attrs=read-write finds it by itself."
        case .replaced(let path):
            "The database \(path) is not the file that this server has open any more: stop the server, put the right file in its place, and start "
                + "the server again. Until then nothing is read or changed."
        case .inUse(let path):
            "Another server runs on the database \(path): stop it, or name another file with --database. Several servers need a PostgreSQL."
        case .newerSchema(let location, let version, let supported):
            "The database \(location) has schema version \(version), this program knows versions up to \(supported): "
                + "run the newer program that wrote it, or restore the backup made before its upgrade."
        case .corrupt(let reason): "The database cannot be used: \(reason). Restore it from a backup, or name another file with --database."
        case .notWritable(let path):
            "The database \(path) cannot be written: give the user of this process write access to the file and its directory."
        case .missingDirectory(let path):
            "The directory \(path) of the database does not exist: create it, or name another file with --database."
        case .refused(let reason): "The database refused a statement: \(reason)."
        }
    }
}
