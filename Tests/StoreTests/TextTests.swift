import Testing

@testable import Store

@Suite("Texts") struct TextTests {
    @Test("--database takes a path and both URLs") func locations() {
        #expect(StoreLocation("/var/lib/neutrino/db") == .sqlite(path: "/var/lib/neutrino/db"))
        #expect(StoreLocation("db.sqlite") == .sqlite(path: "db.sqlite"))
        #expect(StoreLocation("sqlite:////var/db") == .sqlite(path: "/var/db"))
        #expect(StoreLocation("sqlite:///db") == .sqlite(path: "db"))
        #expect(StoreLocation("postgresql://u@h/d") == .postgresql(url: "postgresql://u@h/d"))
        #expect(StoreLocation("postgres://u@h/d") == .postgresql(url: "postgres://u@h/d"))
        #expect(StoreLocation("mysql://u@h/d") == nil)
        #expect(StoreLocation("") == nil)
        #expect(StoreLocation("sqlite:///") == nil)
    }

    @Test("A password is not shown") func password() {
        #expect(StoreLocation.postgresql(url: "postgresql://u:secret@h/d").description == "postgresql://u@h/d")
        #expect(StoreLocation.postgresql(url: "postgresql:///d?host=/x").description == "postgresql:///d?host=/x")
        #expect(StoreLocation.postgresql(url: "postgresql://h:5432/d").description == "postgresql://h:5432/d")
    }

    @Test("Question marks become numbers, except in quotes") func placeholders() {
        #expect(PostgreSQLConnection.numbered("a = ? AND b = '?' AND \"c?\" = ?") == "a = $1 AND b = '?' AND \"c?\" = $2")
    }

    @Test("PostgreSQL compares every text by its bytes") func collation() {
        let text = Migration.version1.text(for: .postgresql)
        let texts = text.split { !$0.isLetter }.count { $0 == "TEXT" }
        #expect(texts > 50)
        #expect(text.split(separator: "TEXT COLLATE \"C\"").count == texts + 1)
    }
}
