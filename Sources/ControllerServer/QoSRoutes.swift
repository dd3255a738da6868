import APISchema
import AccessPolicy
import HTTPTypes
import Hummingbird
import NetworkModel
import Operations

/// The rules of one type of QoS policies: below their policy, and by aliases that leave the policy out (`qos-rules-alias`).
struct QoSRuleRoutes<Rule: QoSPolicyRule>: Sendable {
    let operations: Operations
    /// Neutron has no alias for limits of packets.
    var hasAlias = true

    private var table: ResourceTable<Rule> { Rule.table }
    private var alias: String { "alias_\(table.singular)" }

    func addRoutes(to router: APIRouter) {
        let path = RouterPath("/v2.0/qos/policies/:id/\(table.collection)")
        router.get(path) { request, context in try await answerList(request, context) }
        router.post(path) { request, context in
            let members = try object(table.singular, in: await request.jsonObject())
            let rule = try await operations.createRule(
                ResourceRequest<Rule>.create(members), policy: context.id, ifMatch: request.revisionConstraint(), caller: context.caller)
            return try await answer(rule, table.singular, status: .created, to: context.caller)
        }
        addItemRoutes(to: router, "/v2.0/qos/policies/:id/\(table.collection)/:rule", member: table.singular) { context in
            (rule: context.parameters.get("rule") ?? "", policy: context.id)
        }
        guard hasAlias else { return }
        addItemRoutes(to: router, "/v2.0/qos/\(alias.replacing("_", with: "-"))s/:id", member: alias) { context in
            (rule: context.id, policy: nil)
        }
    }

    private func addItemRoutes(
        to router: APIRouter, _ path: String, member: String, ids: @escaping @Sendable (APIContext) -> (rule: String, policy: String?)
    ) {
        let path = RouterPath(path)
        router.get(path) { request, context in
            let (rule, policy) = ids(context)
            let found = try await operations.showRule(Rule.self, rule, policy: policy, caller: context.caller)
            return try await answer(found, member, fields: request.fields, to: context.caller)
        }
        router.put(path) { request, context in
            let (rule, policy) = ids(context)
            let members = try object(member, in: await request.jsonObject())
            let changed = try await operations.updateRule(
                rule, policy: policy, ResourceRequest<Rule>.update(members), ifMatch: request.revisionConstraint(), caller: context.caller)
            return try await answer(changed, member, to: context.caller)
        }
        router.delete(path) { request, context in
            let (rule, policy) = ids(context)
            try await operations.deleteRule(
                Rule.self, rule, policy: policy, ifMatch: request.revisionConstraint(), caller: context.caller)
            return Response.noContent
        }
    }

    private func answerList(_ request: Request, _ context: APIContext) async throws -> Response {
        let query = try ListQuery.parse(request.queryParameters, for: Rule.self)
        let rules = try await operations.listRules(Rule.self, policy: context.id, query, caller: context.caller)
        let shown = try await operations.selections(of: rules, byAlias: false, fields: query.fields, caller: context.caller)
        var writer = JSONWriter()
        writer.object { writer in
            writer.key(table.plural)
            writer.array { writer in for (rule, selection) in zip(rules, shown) { table.write(rule, selection, to: &writer) } }
            PageLinks(request: request, base: operations.base(of: request), query: query, ids: rules.map(\.id))
                .write(to: &writer, name: table.plural + "_links")
        }
        return .json(writer)
    }

    private func answer(
        _ rule: Rule, _ member: String, fields: Set<String> = [], status: HTTPResponse.Status = .ok, to caller: Caller
    ) async throws -> Response {
        let shown = try await operations.selections(of: [rule], byAlias: member == alias, fields: fields, caller: caller)
        var writer = JSONWriter()
        writer.object { writer in
            writer.key(member)
            for selection in shown { table.write(rule, selection, to: &writer) }
        }
        return .json(writer, status: status)
    }

    private func object(_ member: String, in body: [String: JSONValue]) throws(APIError) -> [String: JSONValue] {
        guard let members = body[member]?.objectValue else { throw .badRequest("Unable to find '\(member)' in request body") }
        return members
    }
}

/// What rules hosts enforce (`/qos/rule-types`), and with which values.
struct QoSRuleTypeRoutes: Sendable {
    let operations: Operations

    private static let types: [(name: String, parameters: JSONValue)] = [
        (BandwidthLimitRule.typeName, [rate("max_kbps"), rate("max_burst_kbps"), direction]),
        (
            DSCPMarkingRule.typeName,
            [parameter("dscp_mark", "choices", .array(DSCPMarkingRule.marks.map { .integer($0) }))]
        ),
        (PacketRateLimitRule.typeName, [rate("max_kpps"), rate("max_burst_kpps"), direction]),
    ]

    private static let direction = parameter("direction", "choices", ["ingress", "egress"])

    private static func rate(_ name: String) -> JSONValue {
        parameter(name, "range", ["start": 0, "end": .integer(Int(Int32.max))])
    }

    private static func parameter(_ name: String, _ type: String, _ values: JSONValue) -> JSONValue {
        ["parameter_name": .string(name), "parameter_type": .string(type), "parameter_values": values]
    }

    func addRoutes(to router: APIRouter) {
        // Every type that there is, hosts enforce: `all_rules` and `all_supported` list the same.
        router.get("/v2.0/qos/rule-types") { request, context in
            let page = try operations.page(.ruleTypes, called: "rule_types", of: request)
            for flag in ["all_rules", "all_supported"] { try Self.checkBooleans(page.query.filters[flag] ?? []) }
            let found = try await operations.mayListRuleTypes(caller: context.caller) ? Self.types.map(\.name) : []
            return page.answer(
                found, name: { $0 }, text: { $1 == "type" ? $0 : nil },
                write: { type, fields, writer in
                    writer.object { writer in
                        guard fields.isEmpty || fields.contains("type") else { return }
                        writer.key("type")
                        writer.string(type)
                    }
                })
        }
        router.get("/v2.0/qos/rule-types/:id") { _, context in
            // What drivers can do is the operator's business, in Neutron as well.
            guard context.caller.isAdmin else { throw APIError(status: 403, type: "NotAuthorized", message: "Not authorized.") }
            guard let type = Self.types.first(where: { $0.name == context.id }) else {
                throw APIError.pathNotFound
            }
            return Self.answer([
                "rule_type": [
                    "type": .string(type.name), "drivers": [["name": "neutrino", "supported_parameters": type.parameters]],
                ]
            ])
        }
    }

    private static func checkBooleans(_ texts: Set<String>) throws(APIError) {
        for text in texts {
            do throws(InvalidValue) { _ = try Bool(json: .string(text)) } catch { throw .invalidInput(error.reason) }
        }
    }

    private static func answer(_ document: JSONValue) -> Response {
        var writer = JSONWriter()
        writer.value(document)
        return .json(writer)
    }
}
