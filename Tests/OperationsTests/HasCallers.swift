import AccessPolicy

/// A suite of tests that ask as different people of the projects p1 and p2.
protocol HasCallers {}

extension HasCallers {
    static func caller(_ project: String, _ roles: String...) -> Caller {
        Caller(userID: "u", projectID: project, isAdmin: false, roles: Set(roles))
    }

    var manager: Caller { Self.caller("p1", "manager", "member", "reader") }
    var member: Caller { Self.caller("p1", "member", "reader") }
    var reader: Caller { Self.caller("p1", "reader") }
    var stranger: Caller { Self.caller("p2", "member", "reader") }
    var service: Caller { Self.caller("services", "service") }
}
