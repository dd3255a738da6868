import APISchema

// What is left of a rule once the caller's roles are known. Most rules become `always` or `never`, which are decided without a target; what is left
// speaks of the target only, and can be made a condition of a query.

extension PolicyCheck {
    /// - Parameter rule: what is left of another rule.
    func reduced(for profile: CallerProfile, rule: (String) -> PolicyCheck) -> PolicyCheck {
        switch self {
        case .always, .never, .owner, .field, .unknown: return self
        case .rule(let name): return rule(name)
        case .not(let check): return check.reduced(for: profile, rule: rule).negated
        case .all(let checks): return Self.conjunction(checks.map { $0.reduced(for: profile, rule: rule) })
        case .any(let checks): return Self.disjunction(checks.map { $0.reduced(for: profile, rule: rule) })
        case .role(let template):
            guard let name = template.constant else { return self }
            return profile.roles.contains(name.lowercased()) ? .always : .never
        case .equal(let operand, let template):
            guard let text = template.constant, let values = operand.values(for: profile, rule: rule) else { return self }
            return values.contains(text) ? .always : .never
        }
    }

    /// The opposite. Of what nothing can decide the opposite cannot be decided either.
    private var negated: PolicyCheck {
        switch self {
        case .always: .never
        case .never: .always
        case .unknown: self
        default: unknownChecks.first.map(PolicyCheck.unknown) ?? .not(self)
        }
    }

    static func conjunction(_ checks: [PolicyCheck]) -> PolicyCheck {
        var parts: [PolicyCheck] = []
        for check in checks {
            switch check {
            case .always: continue
            case .never: return .never
            case .all(let inner): for part in inner where !parts.contains(part) { parts.append(part) }
            default: if !parts.contains(check) { parts.append(check) }
            }
        }
        return parts.isEmpty ? .always : parts.count == 1 ? parts[0] : .all(parts)
    }

    private static func disjunction(_ checks: [PolicyCheck]) -> PolicyCheck {
        var parts: [PolicyCheck] = []
        for check in checks {
            switch check {
            case .never: continue
            case .always: return .always
            case .any(let inner): for part in inner where !parts.contains(part) { parts.append(part) }
            default: if !parts.contains(check) { parts.append(check) }
            }
        }
        return parts.isEmpty ? .never : parts.count == 1 ? parts[0] : .any(parts)
    }

    /// Whether it holds wherever the other one does, as far as their forms show.
    func follows(from other: PolicyCheck) -> Bool {
        if self == .always || other == .never || self == other { return true }
        switch other {
        case .any(let parts): return parts.allSatisfy { follows(from: $0) }
        case .all(let parts): if parts.contains(where: { follows(from: $0) }) { return true }
        default: break
        }
        switch self {
        case .any(let parts): return parts.contains { $0.follows(from: other) }
        case .all(let parts): return parts.allSatisfy { $0.follows(from: other) }
        default: return false
        }
    }
}

extension PolicyOperand {
    /// What it is for callers of a profile; nil when that depends on the caller.
    fileprivate func values(for profile: CallerProfile, rule: (String) -> PolicyCheck) -> Set<String>? {
        switch self {
        case .literal(let text): [text]
        case .credential(.roles): profile.roles
        case .credential(.serviceRoles): profile.serviceRoles
        case .credential(.systemScope): profile.scope == .system ? ["all"] : []
        case .credential(.isAdmin): [rule(CallerRules.administratorRule) == .always ? "True" : "False"]
        case .credential(.isAdminProject): [profile.isAdminProject ? "True" : "False"]
        case .credential(.userID), .credential(.projectID), .credential(.domainID): nil
        }
    }
}
