/// One step of the schema. Frozen once released: a later change is a new migration, and a test keeps the hash of every released one.
struct Migration: Sendable {
    /// 1, 2, 3… without gaps: the schema version that the database has afterwards.
    let version: Int
    /// Statements for both databases. `TEXT` is compared bytewise on both: SQLite does so by itself, for PostgreSQL ``text(for:)`` says so.
    let shared: String
    /// What PostgreSQL needs beyond that.
    let postgresqlOnly: String

    /// In their order.
    static let all: [Migration] = [
        .version1, .version2, .version3, .version4, .version5, .version6, .version7, .version8, .version9, .version10, .version11,
        .version12, .version13, .version14, .version15,
    ]

    /// The version that this program works with.
    static var latestVersion: Int { all.count }

    func text(for dialect: SQLDialect) -> String {
        switch dialect {
        case .sqlite: shared
        case .postgresql:
            shared.split(separator: " ", omittingEmptySubsequences: false).map { word in
                // `TEXT`, `TEXT,` and so on: a word of its own wherever it stands.
                word.hasPrefix("TEXT") ? "TEXT COLLATE \"C\"" + word.dropFirst("TEXT".count) : String(word)
            }.joined(separator: " ") + postgresqlOnly
        }
    }
}

/// Where the two databases need different words.
enum SQLDialect: Sendable {
    case sqlite, postgresql
}
