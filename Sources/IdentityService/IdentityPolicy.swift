import AccessPolicy
import Identity

/// Who may use the identity's API: administrators everything, users what is their own, readers of the system what is only read.
///
/// An administrator is who has the role `admin` in the scope of the token, as Keystone's rule `admin_required` has it.
public enum IdentityPolicy {
    public static func isAdministrator(_ caller: Caller) -> Bool { caller.roles.contains("admin") }

    /// Throws 403 unless the caller is an administrator.
    ///
    /// - Parameters:
    ///   - action: as Keystone's policy names it: `create_user`.
    ///   - isOwn: whether it is about what belongs to the caller.
    public static func check(_ action: String, _ caller: Caller, isOwn: Bool = false) throws(IdentityError) {
        guard isOwn || isAdministrator(caller) else { throw .forbidden("identity:\(action)") }
    }

    /// The same for what changes nothing.
    public static func checkRead(_ action: String, _ caller: Caller, isOwn: Bool = false) throws(IdentityError) {
        guard isOwn || seesAll(caller) else { throw .forbidden("identity:\(action)") }
    }

    /// Whether the caller sees what is not its own.
    public static func seesAll(_ caller: Caller) -> Bool {
        isAdministrator(caller) || caller.isSystemScoped && caller.roles.contains("reader")
    }

    /// Services look at the tokens of those who call them.
    public static func checkValidation(_ caller: Caller, subjectUserID: String) throws(IdentityError) {
        try checkRead("validate_token", caller, isOwn: caller.userID == subjectUserID || caller.roles.contains("service"))
    }
}
