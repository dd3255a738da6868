import APISchema

/// What is left of rules for callers of a profile: each is worked out once, whatever asks for it. Rules do not lead back to themselves:
/// ``PolicyRules`` refuses those.
struct RuleReduction {
    let rules: PolicyRules
    let profile: CallerProfile
    private(set) var known: [String: PolicyCheck] = [:]

    init(rules: PolicyRules, profile: CallerProfile) {
        self.rules = rules
        self.profile = profile
    }

    mutating func left(of name: String) -> PolicyCheck {
        if let done = known[name] { return done }
        let result = left(of: rules.resolved(name))
        known[name] = result
        return result
    }

    mutating func left(of check: PolicyCheck) -> PolicyCheck {
        for name in check.neededRules { _ = left(of: name) }
        let known = known
        return check.reduced(for: profile) { known[$0] ?? .never }
    }
}

extension PolicyCheck {
    /// The rules that must be decided before it: those that it names, and the administrators' where it asks for `is_admin`.
    var neededRules: [String] { ruleNames + (asksForAdministrator ? [CallerRules.administratorRule] : []) }

    private var asksForAdministrator: Bool {
        switch self {
        case .equal(.credential(.isAdmin), _): true
        case .not(let check): check.asksForAdministrator
        case .all(let checks), .any(let checks): checks.contains(where: \.asksForAdministrator)
        default: false
        }
    }
}
