import AccessPolicy
import NetworkModel
import Store

extension Operations {
    /// Takes or renews a duty that one server of those that share the database has at a time. False while another one has it.
    ///
    /// Reads first, so that the servers that wait for a duty write nothing.
    public func holdDuty(_ name: String, by holder: String, forSeconds seconds: Int) async throws -> Bool {
        let isFree = try await read(.server) { verb in
            let rows = try verb.transaction.rows(
                "SELECT 1 FROM duties WHERE name = ? AND holder <> ? AND expires_at >= ?",
                [.text(name), .text(holder), .integer(verb.now.secondsSince1970)])
            return rows.isEmpty
        }
        guard isFree else { return false }
        return try await write(.server) { verb in try verb.claim(name, by: holder, forSeconds: seconds) }
    }

    /// Gives a duty up, so that another server need not wait until it expires.
    public func releaseDuty(_ name: String, by holder: String) async throws {
        try await write(.server) { verb in
            _ = try verb.transaction.execute("DELETE FROM duties WHERE name = ? AND holder = ?", [.text(name), .text(holder)])
        }
    }
}
