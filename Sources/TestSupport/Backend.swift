import Foundation
import Glibc
import Logging
import Store

/// The databases that every test of the store, and of what stands on it, runs on.
public enum Backend: String, CaseIterable, Sendable {
    case sqlite, postgresql

    /// A new, empty database, gone when the test process ends.
    public func makeLocation() throws -> StoreLocation {
        switch self {
        case .sqlite: .sqlite(path: try TemporaryFiles.makePath("neutrino.sqlite"))
        case .postgresql: .postgresql(url: try PrivatePostgreSQL.shared.get().makeDatabase())
        }
    }

    /// A store on a new database.
    public func makeStore() throws -> Store { try Store(makeLocation(), logger: .quiet) }
}

extension Logger {
    /// For tests: says nothing.
    public static var quiet: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}
