import APISchema

/// How a rule came to its decision, for people: the rule's tree with what each part said.
public struct PolicyExplanation: Sendable {
    public var isAllowed: Bool
    /// Lines of text, parts of a check indented below it.
    public var lines: [String]

    /// Decides a rule for a caller and a target, and keeps the way there.
    public init<Target: PolicyTarget>(_ rule: String, _ rules: PolicyRules, caller: Caller, target: Target) throws {
        var explainer = Explainer(rules: rules, caller: caller, target: target)
        let known = rules[rule]
        let check = rules.resolved(rule)
        let note = known == nil ? "  (no such rule: 'default' decides)" : known?.isOverridden == true ? "  (overridden)" : ""
        let scope = CallerProfile(caller).scope
        let isInScope = scope == .project || known?.needsProjectScope != true
        let isAllowed = try explainer.explain(check, indentation: 1) && isInScope
        if !isInScope {
            explainer.lines.append("  fails   the token's scope is \(scope.rawValue), and the operation needs one of a project")
        }
        self.isAllowed = isAllowed
        lines = ["\(isAllowed ? "passes" : "fails ")  \(rule) = \(check)\(note)"] + explainer.lines
    }
}

private struct Explainer<Target: PolicyTarget> {
    let rules: PolicyRules
    let caller: Caller
    let target: Target
    var lines: [String] = []

    mutating func explain(_ check: PolicyCheck, indentation: Int) throws -> Bool {
        let line = lines.count
        lines.append("")
        var note = ""
        let holds: Bool
        switch check {
        case .not(let part):
            let inner = try explain(part, indentation: indentation + 1)
            holds = !inner && check.unknownChecks.isEmpty
        case .all(let parts):
            var results: [Bool] = []
            for part in parts { results.append(try explain(part, indentation: indentation + 1)) }
            holds = results.allSatisfy { $0 }
            note = " (all of)"
        case .any(let parts):
            var results: [Bool] = []
            for part in parts { results.append(try explain(part, indentation: indentation + 1)) }
            holds = results.contains(true)
            note = " (one of)"
        case .rule(let name):
            holds = try explain(rules.resolved(name), indentation: indentation + 1)
            if rules[name] == nil { note = "  (no such rule: 'default' decides)" }
        default:
            (holds, note) = try leaf(check)
        }
        lines[line] = String(repeating: "  ", count: indentation) + (holds ? "passes  " : "fails   ") + "\(check)\(note)"
        return holds
    }

    /// What decided: the caller's side, or the target's.
    private func leaf(_ check: PolicyCheck) throws -> (Bool, String) {
        let reduced = check.reduced(for: CallerProfile(caller)) { [rules] name in
            rules.resolved(name).reduced(for: CallerProfile(caller)) { _ in .never }
        }
        let holds = try reduced.holds(for: caller, on: target)
        switch check {
        case .role: return (holds, "  (roles: \(Self.list(caller.roles)))")
        case .owner(let field):
            return (holds, "  (caller: \(Self.quoted(caller.projectID)), target: \(try described(target.value(of: field, in: nil))))")
        case .field(let field): return (holds, "  (target: \(try described(target.value(of: field.name, in: field.resource))))")
        case .equal(let operand, let template):
            guard let text = try template.text(on: target) else { return (holds, "  (the target has no such field)") }
            return (holds, "  (\(operand) against '\(text)')")
        case .unknown: return (holds, "  (nothing here can decide it)")
        default: return (holds, "")
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
