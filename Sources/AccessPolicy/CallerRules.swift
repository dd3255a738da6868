import APISchema

/// The rules as they are for callers of one profile: what roles decide is decided, and only what depends on the target is left. Made once for each
/// set of roles.
public final class CallerRules: Sendable {
    /// The rule that makes an administrator.
    public static let administratorRule = "context_is_admin"

    public let profile: CallerProfile
    /// What ``administratorRule`` says, which no target can change.
    public let isAdmin: Bool
    private let left: [String: PolicyCheck]
    private let fallback: PolicyCheck
    private let hidden: [String: [String: PolicyCheck]]
    private let attributes: [String: [String: PolicyCheck]]
    private let wholes: Set<String>
    private let overridden: Set<String>
    /// The operations that need another scope than the caller's.
    private let outOfScope: Set<String>

    public init(_ rules: PolicyRules, for profile: CallerProfile) {
        self.profile = profile
        var reduction = RuleReduction(rules: rules, profile: profile)
        for name in rules.names { _ = reduction.left(of: name) }
        fallback = reduction.left(of: PolicyRules.fallbackName)
        isAdmin = profile.isUnrestricted || reduction.left(of: Self.administratorRule) == .always
        var left = reduction.known
        let outOfScope = profile.scope == .project ? [] : Set(rules.names.filter { rules[$0]?.needsProjectScope == true })
        for name in outOfScope { left[name] = .never }
        self.left = left
        self.outOfScope = outOfScope
        attributes = Self.attributes(left)
        hidden = attributes.reduce(into: [:]) { hidden, resource in
            let whole = left["get_\(resource.key)"] ?? .never
            let kept = resource.value.filter { !$0.value.follows(from: whole) }
            if !kept.isEmpty { hidden[resource.key] = kept }
        }
        wholes = rules.wholes
        overridden = rules.overriddenNames
    }

    /// What is left of the rule to ask of a target.
    public subscript(rule: String) -> PolicyCheck { profile.isUnrestricted ? .always : left[rule] ?? fallback }

    /// What is left of the rule, if there is one of that name.
    public func existing(_ rule: String) -> PolicyCheck? {
        guard let check = left[rule] else { return nil }
        return profile.isUnrestricted ? .always : check
    }

    /// Whether there are rules for parts of what the rule is about.
    public func hasParts(_ rule: String) -> Bool { wholes.contains(rule) }

    /// Whether an operator's file has the rule.
    public func isOverridden(_ rule: String) -> Bool { overridden.contains(rule) }

    /// The attributes of a resource that callers of the profile do not see, or see of some resources only: those with a rule
    /// `get_RESOURCE:ATTRIBUTE` that does not follow from `get_RESOURCE`, which whoever sees the resource has passed.
    ///
    /// - Parameter resource: as rules name it (`port`).
    public func hiddenAttributes(of resource: String) -> [String: PolicyCheck] { profile.isUnrestricted ? [:] : hidden[resource] ?? [:] }

    /// The same of resources that nobody looked whether the caller sees: of what it just made. Nothing follows from `get_RESOURCE` there.
    public func guardedAttributes(of resource: String) -> [String: PolicyCheck] {
        profile.isUnrestricted ? [:] : attributes[resource] ?? [:]
    }

    /// Whether callers of the profile see what belongs to their project, whatever it is.
    public func seesOwn(_ resource: String) -> Bool { profile.isUnrestricted || self["get_\(resource)"].holdsForOwners }

    /// Whether the operation needs a token of another scope than the caller's.
    public func isOutOfScope(_ rule: String) -> Bool { outOfScope.contains(rule) }

    /// The error of who may not do something, in Neutron's words.
    public func refusal(_ action: PolicyAction) -> APIError {
        guard let name = action.ruleNames.first(where: outOfScope.contains) else {
            return APIError(status: 403, type: "PolicyNotAuthorized", message: "\(action.text) is disallowed by policy")
        }
        return APIError(
            status: 403, type: "InvalidScope",
            message: "rule:\(name) requires a scope of ['project'], request was made with \(profile.scope.rawValue) scope.")
    }

    /// What is left of rules `get_RESOURCE:ATTRIBUTE` that not everybody passes, by resource and attribute.
    private static func attributes(_ left: [String: PolicyCheck]) -> [String: [String: PolicyCheck]] {
        var attributes: [String: [String: PolicyCheck]] = [:]
        for (name, check) in left where name.hasPrefix("get_") && check != .always {
            guard let colon = name.firstIndex(of: ":") else { continue }
            let resource = String(name[..<colon].dropFirst("get_".count))
            attributes[resource, default: [:]][String(name[name.index(after: colon)...])] = check
        }
        return attributes.mapValues(withTwins)
    }

    /// The older name of a project's attribute shows the same: what hides one hides both.
    private static func withTwins(_ attributes: [String: PolicyCheck]) -> [String: PolicyCheck] {
        let checks = twins.compactMap { attributes[$0] }
        guard !checks.isEmpty else { return attributes }
        return twins.reduce(into: attributes) { $0[$1] = PolicyCheck.conjunction(checks) }
    }

    private static let twins = ["project_id", "tenant_id"]
}

extension PolicyCheck {
    fileprivate var holdsForOwners: Bool {
        switch self {
        case .always, .owner(field: "project_id"): true
        case .any(let checks): checks.contains(where: \.holdsForOwners)
        default: false
        }
    }
}

/// Each is itself: two that say the same may have been made of different rules.
extension CallerRules: Hashable {
    public static func == (first: CallerRules, second: CallerRules) -> Bool { first === second }
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
