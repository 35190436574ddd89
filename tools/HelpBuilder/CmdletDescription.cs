using System.Reflection;

namespace Sway.HelpBuilder;

/// <summary>A parameter's role in one parameter set.</summary>
internal sealed record ParameterRole(string Set, bool Required, int? Position, bool ByValue, bool ByPropertyName);

/// <summary>One parameter as the cmdlet declares it.</summary>
internal sealed record ParameterDescription(
    string Name, Type Type, IReadOnlyList<string> Aliases, bool Wildcards, IReadOnlyList<ParameterRole> Roles)
{
    internal bool IsSwitch => Type.Name == "SwitchParameter";

    /// <summary>The type without Nullable.</summary>
    internal Type PlainType => Nullable.GetUnderlyingType(Type) ?? Type;

    internal Type ElementType => PlainType.IsArray ? PlainType.GetElementType()! : PlainType;

    internal ParameterRole? RoleIn(string set) => Roles.FirstOrDefault(role => role.Set == set || role.Set == CmdletDescription.AllSets);
}

/// <summary>One cmdlet as its attributes declare it. Attributes are read as data: their code is not there to run.</summary>
internal sealed record CmdletDescription(
    string Name, IReadOnlyList<string> Sets, IReadOnlyList<ParameterDescription> Parameters, IReadOnlyList<string> Outputs)
{
    internal const string AllSets = "__AllParameterSets";

    internal static IEnumerable<CmdletDescription> Of(Assembly assembly) => assembly.GetExportedTypes()
        .Where(type => !type.IsAbstract && Attributes(type, "CmdletAttribute").Any())
        .Select(Of)
        .OrderBy(cmdlet => cmdlet.Name, StringComparer.Ordinal);

    private static CmdletDescription Of(Type type)
    {
        CustomAttributeData attribute = Attributes(type, "CmdletAttribute").First();
        string name = $"{attribute.ConstructorArguments[0].Value}-{attribute.ConstructorArguments[1].Value}";
        List<ParameterDescription> parameters = [.. type.GetProperties()
            .Where(property => Attributes(property, "ParameterAttribute").Any())
            .Select(Parameter)];
        if (Named(attribute, "SupportsShouldProcess") is true)
        {
            parameters.Add(Switch("WhatIf", "wi"));
            parameters.Add(Switch("Confirm", "cf"));
        }

        List<string> sets = [.. parameters.SelectMany(parameter => parameter.Roles).Select(role => role.Set)
            .Where(set => set != AllSets).Distinct(StringComparer.Ordinal)];
        object? standard = Named(attribute, "DefaultParameterSetName");
        sets.Sort((a, b) => (b.Equals(standard) ? 1 : 0) - (a.Equals(standard) ? 1 : 0));
        List<string> outputs = [.. Attributes(type, "OutputTypeAttribute")
            .SelectMany(data => (IEnumerable<CustomAttributeTypedArgument>)data.ConstructorArguments[0].Value!)
            .Select(value => value.Value!.ToString()!)];
        return new(name, sets.Count == 0 ? [AllSets] : sets, parameters, outputs);
    }

    private static ParameterDescription Parameter(PropertyInfo property) => new(
        property.Name,
        property.PropertyType,
        [.. Attributes(property, "AliasAttribute")
            .SelectMany(data => (IEnumerable<CustomAttributeTypedArgument>)data.ConstructorArguments[0].Value!)
            .Select(value => (string)value.Value!)],
        Attributes(property, "SupportsWildcardsAttribute").Any(),
        [.. Attributes(property, "ParameterAttribute").Select(data => new ParameterRole(
            (string?)Named(data, "ParameterSetName") ?? AllSets,
            Named(data, "Mandatory") is true,
            (int?)Named(data, "Position"),
            Named(data, "ValueFromPipeline") is true,
            Named(data, "ValueFromPipelineByPropertyName") is true))]);

    private static ParameterDescription Switch(string name, string alias) => new(
        name, typeof(SwitchParameter), [alias], false, [new(AllSets, false, null, false, false)]);

    private static IEnumerable<CustomAttributeData> Attributes(MemberInfo member, string name) =>
        member.GetCustomAttributesData().Where(data => data.AttributeType.Name == name);

    private static object? Named(CustomAttributeData data, string name) =>
        data.NamedArguments.FirstOrDefault(argument => argument.MemberName == name).TypedValue.Value;

    /// <summary>Stands for the type of the same name, which needs no members here.</summary>
    private readonly record struct SwitchParameter;
}
