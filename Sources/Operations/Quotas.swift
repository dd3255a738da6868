import APISchema
import AccessPolicy
import NetworkModel
import Store

/// Limits and use of one resource by one project.
public struct QuotaDetail: Sendable, Hashable {
    public var limit: Int
    public var used: Int
    public var reserved = 0
}

extension Operations {
    /// The limits of a project by resource name (`GET /quotas/{project}`).
    public func quota(of projectID: String, caller: Caller) async throws -> [String: Int] {
        try await read(caller) { verb in
            try verb.authorizeQuota(of: projectID)
            return try verb.quota(of: projectID)
        }
    }

    /// The limits of projects that have none of their own (`GET /quotas/{project}/default`).
    public func defaultQuota(of projectID: String, caller: Caller) async throws -> [String: Int] {
        try await read(caller) { verb in
            try verb.authorizeQuota(of: projectID)
            return verb.settings.defaultQuotas
        }
    }

    /// Limits and use (`GET /quotas/{project}/details.json`).
    public func quotaDetails(of projectID: String, caller: Caller) async throws -> [String: QuotaDetail] {
        try await read(caller) { verb in
            try verb.authorizeQuota(of: projectID)
            var details: [String: QuotaDetail] = [:]
            for (resource, limit) in try verb.quota(of: projectID) {
                details[resource] = QuotaDetail(limit: limit, used: try verb.quotaUse(resource, projectID))
            }
            return details
        }
    }

    /// The projects that have limits of their own, and that the caller may look at (`GET /quotas`).
    public func quotas(caller: Caller) async throws -> [(projectID: String, limits: [String: Int])] {
        try await read(caller) { verb in
            try verb.authorize(PolicyAction(Verb.quotaRule), on: ProjectTarget(projectID: verb.caller.projectID))
            let defaults = verb.settings.defaultQuotas
            var quotas: [(projectID: String, limits: [String: Int])] = []
            for row in try verb.transaction.rows("SELECT project_id, resource, quota_limit FROM quotas ORDER BY project_id") {
                guard let projectID = row[0].text, let resource = row[1].text, let limit = row[2].integer else { continue }
                if quotas.last?.projectID != projectID { quotas.append((projectID, defaults)) }
                quotas[quotas.count - 1].limits[resource] = limit
            }
            return try quotas.filter { quota in
                try verb.policy[Verb.quotaRule].holds(for: verb.caller, on: ProjectTarget(projectID: quota.projectID))
            }
        }
    }

    /// Sets limits of a project and returns them all (`PUT /quotas/{project}`).
    public func updateQuota(of projectID: String, _ body: [String: JSONValue], caller: Caller) async throws -> [String: Int] {
        try Verb.checkProject(projectID)
        return try await write(caller) { verb in
            try verb.authorize(PolicyAction("update_quota"), on: ProjectTarget(projectID: projectID))
            var body = body
            let force = body.removeValue(forKey: "force")
            // Asked for by older clients; the use is always looked at now.
            body["check_limit"] = nil
            let limits = try verb.checkedLimits(body)
            if force != true { try verb.refuseBelowUse(limits, projectID) }
            for (resource, limit) in limits {
                try verb.transaction.execute(
                    "DELETE FROM quotas WHERE project_id = ? AND resource = ?", [.text(projectID), .text(resource)])
                try verb.transaction.execute(
                    "INSERT INTO quotas (project_id, resource, quota_limit) VALUES (?, ?, ?)",
                    [.text(projectID), .text(resource), .integer(limit)])
            }
            return try verb.quota(of: projectID)
        }
    }

    /// Takes a project's own limits away (`DELETE /quotas/{project}`).
    public func deleteQuota(of projectID: String, caller: Caller) async throws {
        try await write(caller) { verb in
            try verb.authorize(PolicyAction("delete_quota"), on: ProjectTarget(projectID: projectID))
            let deleted = try verb.transaction.execute("DELETE FROM quotas WHERE project_id = ?", [.text(projectID)])
            guard deleted > 0 else { throw APIError.quotaNotFound(projectID) }
        }
    }
}

extension Verb {
    /// Throws when the project may not have another one.
    ///
    /// Counts at most one row more than the limit, and none where there is no limit.
    func checkQuota(_ resource: String, _ projectID: String, adding count: Int = 1) throws {
        let own = try transaction.rows(
            "SELECT quota_limit FROM quotas WHERE project_id = ? AND resource = ?", [.text(projectID), .text(resource)]
        ).first?.first?.integer
        guard let limit = own ?? settings.defaultQuotas[resource], limit >= 0 else { return }
        guard let statement = Self.boundedCounts[resource] else { return }
        let used = try transaction.rows(statement, [.text(projectID), .integer(limit + 1)]).first?.first?.integer ?? 0
        guard used + count <= limit else { throw APIError.overQuota([resource]) }
    }

    func quota(of projectID: String) throws -> [String: Int] {
        var limits = settings.defaultQuotas
        for row in try transaction.rows("SELECT resource, quota_limit FROM quotas WHERE project_id = ?", [.text(projectID)]) {
            if let resource = row[0].text, let limit = row[1].integer { limits[resource] = limit }
        }
        return limits
    }

    func quotaUse(_ resource: String, _ projectID: String) throws -> Int {
        guard let statement = Self.boundedCounts[resource] else { return 0 }
        return try transaction.rows(statement, [.text(projectID), .integer(Int(Int32.max))]).first?.first?.integer ?? 0
    }

    fileprivate static let quotaRule = "get_quota"

    /// Throws unless the caller may look at a project's limits and use. Who looks at those of its own project is asked for nothing, as in Neutron,
    /// unless an operator's file has the rule.
    fileprivate func authorizeQuota(of projectID: String) throws {
        guard caller.projectID != projectID || caller.roles.isEmpty || policy.isOverridden(Self.quotaRule) else { return }
        try authorize(PolicyAction(Self.quotaRule), on: ProjectTarget(projectID: projectID))
    }

    func checkedLimits(_ body: [String: JSONValue]) throws(APIError) -> [(String, Int)] {
        let ignored: Set = ["project_id", "tenant_id"]
        let unknown = body.keys.filter { settings.defaultQuotas[$0] == nil && !ignored.contains($0) }.sorted()
        guard unknown.isEmpty else { throw .badRequest("Unrecognized attribute(s) '\(unknown.joined(separator: ", "))'") }
        var limits: [(String, Int)] = []
        for (resource, json) in body.sorted(by: { $0.key < $1.key }) where !ignored.contains(resource) {
            do throws(InvalidValue) {
                guard let limit = try AttributeType.integer(ServerSettings.quotaLimits).validate(json).integerValue else { continue }
                limits.append((resource, limit))
            } catch {
                throw .invalidAttribute(resource, error.reason)
            }
        }
        return limits
    }

    /// A limit below what the project already has would not be kept; who wants it all the same says `force`.
    fileprivate func refuseBelowUse(_ limits: [(String, Int)], _ projectID: String) throws {
        for (resource, limit) in limits where limit >= 0 {
            let used = try quotaUse(resource, projectID)
            guard used <= limit else {
                throw APIError.badRequest(
                    "Quota limit \(limit) for \(resource) must be greater than or equal to already used \(used)")
            }
        }
    }

    /// Fixed texts, so that each stays prepared.
    private static let boundedCounts: [String: String] = Dictionary(
        uniqueKeysWithValues: [
            ("network", "networks"), ("subnet", "subnets"), ("subnetpool", "subnetpools"), ("rbac_policy", "rbac_policies"),
            ("port", "ports"), ("router", "routers"),
            ("floatingip", "floatingips"),
            ("security_group", "security_groups"), ("security_group_rule", "security_group_rules"),
        ].map { ($0, "SELECT COUNT(*) FROM (SELECT 1 FROM \($1) WHERE project_id = ? LIMIT ?) AS counted") })
}

extension ColumnValue {
    var text: String? {
        guard case .text(let text) = self else { return nil }
        return text
    }

    var integer: Int? {
        guard case .integer(let number) = self else { return nil }
        return number
    }

    /// The column's text as an identity.
    var id: ResourceID? { text.flatMap { ResourceID($0) } }
}
