import APISchema

/// How a rule came to its decision, for people: the rule's tree with what each part said.
public struct PolicyExplanation: Sendable {
    public var isAllowed: Bool
    /// Lines of text, parts of a check indented below it.
    public var lines: [String]

    /// Decides a rule for a caller and a target as a server does, and shows the way there.
    public init<Target: PolicyTarget>(_ rule: String, _ rules: PolicyRules, caller: Caller, target: Target) throws {
        let callerRules = CallerRules(rules, for: CallerProfile(caller))
        let caller = caller.decided(by: callerRules)
        isAllowed = try callerRules[rule].holds(for: caller, on: target)
        let (known, check) = (rules[rule], rules.resolved(rule))
        let note = known == nil ? "  (no such rule: 'default' decides)" : known?.isOverridden == true ? "  (overridden)" : ""
        var explainer = Explainer(
            rules: rules, reduction: RuleReduction(rules: rules, profile: callerRules.profile), caller: caller, target: target)
        try explainer.explain(check, indentation: 1)
        lines = ["\(isAllowed ? "passes" : "fails ")  \(rule) = \(check)\(note)"] + explainer.lines
        if callerRules.isOutOfScope(rule) {
            lines.append("  fails   the token's scope is \(callerRules.profile.scope.rawValue), and the operation needs one of a project")
        }
    }
}

private struct Explainer<Target: PolicyTarget> {
    let rules: PolicyRules
    var reduction: RuleReduction
    let caller: Caller
    let target: Target
    var lines: [String] = []

    /// A line for the check and, below it, for each of its parts. Each is decided by itself, as the server decides it: the opposite of what nothing
    /// can decide fails like that.
    mutating func explain(_ check: PolicyCheck, indentation: Int) throws {
        let holds = try reduction.left(of: check).holds(for: caller, on: target)
        let note = try note(of: check)
        lines.append(String(repeating: "  ", count: indentation) + (holds ? "passes  " : "fails   ") + "\(check)\(note)")
        for part in parts(of: check) { try explain(part, indentation: indentation + 1) }
    }

    private func parts(of check: PolicyCheck) -> [PolicyCheck] {
        switch check {
        case .not(let part): [part]
        case .all(let parts), .any(let parts): parts
        case .rule(let name): [rules.resolved(name)]
        default: []
        }
    }

    /// What was compared: the caller's side, and the target's.
    private func note(of check: PolicyCheck) throws -> String {
        switch check {
        case .all: return " (all of)"
        case .any: return " (one of)"
        case .rule(let name): return rules[name] == nil ? "  (no such rule: 'default' decides)" : ""
        case .role: return "  (roles: \(Self.list(caller.roles)))"
        case .owner(let field):
            return "  (caller: \(Self.quoted(caller.projectID)), target: \(try described(target.value(of: field, in: nil))))"
        case .field(let field): return "  (target: \(try described(target.value(of: field.name, in: field.resource))))"
        case .equal(let operand, let template):
            return try template.text(on: target).map { "  (\(operand) against '\($0)')" } ?? "  (the target has no such field)"
        case .unknown: return "  (nothing here can decide it)"
        case .always, .never, .not: return ""
        }
    }

    private func described(_ value: JSONValue?) -> String { value.map { "'\($0.pythonText)'" } ?? "has no such field" }
    private static func quoted(_ text: String) -> String { text.isEmpty ? "none" : "'\(text)'" }
    private static func list(_ words: Set<String>) -> String { words.isEmpty ? "none" : words.sorted().joined(separator: ", ") }
}

/// A target that is written down as JSON: members are fields, and those of what it belongs to are members of a member
/// (`{"network": {"project_id": …}}`) or written in one (`{"network:project_id": …}`).
public struct WrittenTarget: PolicyTarget, Sendable {
    public var members: [String: JSONValue]

    public init(_ members: [String: JSONValue]) { self.members = members }

    public func value(of field: String, in resource: String?) -> JSONValue? {
        if let value = members[field] { return value }
        if field == "project_id" { return members["tenant_id"] }
        // Of a part of a resource the whole may be asked: the network of a port.
        if let resource, let whole = members[resource] ?? members[String(resource.dropLast())], let value = whole[field] { return value }
        guard let colon = field.firstIndex(of: ":") else { return nil }
        let (parent, name) = (String(field[..<colon]), String(field[field.index(after: colon)...]))
        return members[parent]?[name] ?? (name == "project_id" ? members[parent]?["tenant_id"] ?? members["\(parent):tenant_id"] : nil)
    }
}
