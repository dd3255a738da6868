import APISchema
import AccessPolicy
import NetworkModel

/// A token that Keystone found valid, and what it says of its bearer.
struct KeystoneToken: Sendable, Hashable {
    var caller: Caller
    var expiresAt: Timestamp

    init(caller: Caller, expiresAt: Timestamp) {
        self.caller = caller
        self.expiresAt = expiresAt
    }

    /// Reads the body of `GET /v3/auth/tokens`; nil when it is none.
    init?(body: JSONValue) {
        guard let token = body["token"], token["user"]?["id"]?.stringValue != nil,
            let expiresAt = token["expires_at"]?.stringValue.flatMap({ Timestamp($0.prefix(Self.secondsLength)) })
        else { return nil }
        let roles = token["roles"]?.arrayValue ?? []
        // oslo.policy compares roles without regard to case.
        let names = Set(roles.compactMap { $0["name"]?.stringValue?.lowercased() })
        caller = Caller(
            userID: token["user"]?["id"]?.stringValue ?? "", projectID: token["project"]?["id"]?.stringValue ?? "",
            isAdmin: names.contains("admin"), roles: names, isSystemScoped: token["system"]?["all"]?.boolValue ?? false,
            domainID: token["domain"]?["id"]?.stringValue ?? "",
            // Keystone tells only where an administrators' project is configured.
            isAdminProject: token["is_admin_project"]?.boolValue ?? true)
        self.expiresAt = expiresAt
    }

    /// `2026-01-31T12:00:00`: Keystone adds a fraction, which is always zero, and `Z`.
    private static let secondsLength = 19
}
