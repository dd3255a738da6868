import APISchema

/// What rules are asked about: a resource, what a request would make of it, or what somebody writes down.
public protocol PolicyTarget {
    /// The value of a field; nil when the target has no such field. `PARENT:FIELD` is a field of what it belongs to.
    ///
    /// - Parameter resource: the resource that the rule says has the attribute (`networks` in `field:networks:shared=True`); nil when it says none.
    func value(of field: String, in resource: String?) throws -> JSONValue?
}

/// A target without any field: for operations that are about nothing in particular.
public struct NoTarget: PolicyTarget {
    public init() {}
    public func value(of field: String, in resource: String?) -> JSONValue? { nil }
}

extension PolicyCheck {
    /// Decides what is left of a rule for a caller's profile.
    public func holds<Target: PolicyTarget>(for caller: Caller, on target: Target) throws -> Bool {
        switch self {
        case .always: return true
        case .never, .unknown: return false
        case .not(let check): return try !check.holds(for: caller, on: target)
        case .all(let checks): return try checks.allSatisfy { try $0.holds(for: caller, on: target) }
        case .any(let checks): return try checks.contains { try $0.holds(for: caller, on: target) }
        case .rule: preconditionFailure("a rule is reduced before it is decided")
        case .role(let template): return try template.text(on: target).map { caller.roles.contains($0.lowercased()) } ?? false
        case .owner(let field):
            // Who is of no project owns nothing, not even what belongs to none.
            guard !caller.projectID.isEmpty else { return false }
            return try target.value(of: field, in: nil)?.stringValue == caller.projectID
        case .field(let field): return try field.matches(target.value(of: field.name, in: field.resource))
        case .equal(let operand, let template):
            guard let text = try template.text(on: target) else { return false }
            return operand.values(of: caller).contains(text)
        }
    }
}

extension PolicyCheck {
    /// The fields of a target that it asks for, as often as it does.
    public var targetFields: [String] {
        switch self {
        case .owner(let field): [field]
        case .field(let field): [field.name]
        case .role(let template), .equal(_, let template): template.fields
        case .not(let check): check.targetFields
        case .all(let checks), .any(let checks): checks.flatMap(\.targetFields)
        case .always, .never, .rule, .unknown: []
        }
    }
}

extension PolicyField {
    /// Whether an attribute's value is the expected one. What is absent or null is not.
    public func matches(_ value: JSONValue?) -> Bool {
        guard let value, value != .null else { return false }
        switch expectation {
        case .pattern(let pattern):
            return value.stringValue.map(pattern.matchesBeginning(of:)) ?? false
        case .value(let expected):
            switch value {
            case .bool(let flag): return (try? Bool(json: .string(expected))) == flag
            case .integer(let number): return Int(expected) == number
            default: return value.pythonText == expected
            }
        }
    }
}

extension PolicyTemplate {
    /// The text with the target's fields in it; nil when the target has not all of them.
    func text<Target: PolicyTarget>(on target: Target) throws -> String? {
        var result = ""
        for part in parts {
            switch part {
            case .text(let text): result += text
            case .field(let name):
                guard let value = try target.value(of: name, in: nil) else { return nil }
                result += value.pythonText
            }
        }
        return result
    }
}

extension PolicyOperand {
    fileprivate func values(of caller: Caller) -> Set<String> {
        switch self {
        case .literal(let text): [text]
        case .credential(.userID): Self.named(caller.userID)
        case .credential(.projectID): Self.named(caller.projectID)
        case .credential(.domainID): Self.named(caller.domainID)
        case .credential(.roles): caller.roles
        case .credential(.serviceRoles): caller.serviceRoles
        case .credential(.systemScope): caller.isSystemScoped ? ["all"] : []
        case .credential(.isAdmin): [caller.isAdmin ? "True" : "False"]
        case .credential(.isAdminProject): [caller.isAdminProject ? "True" : "False"]
        }
    }

    private static func named(_ text: String) -> Set<String> { text.isEmpty ? [] : [text] }
}
