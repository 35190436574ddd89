using Sway.Tensors;

namespace Sway.Conversion;

/// <summary>The delta that the source defines for one module of the output: scaling * B @ A.</summary>
/// <param name="Path">The module's path in the output.</param>
/// <param name="A">The first factor, as the source has it.</param>
/// <param name="B">The second factor.</param>
/// <param name="Scaling">The factor on the product.</param>
/// <param name="RankAxisOfA">The axis of A that is summed over.</param>
/// <param name="RankAxisOfB">The axis of B that is summed over.</param>
public sealed record PlannedDelta(string Path, TensorExpression A, TensorExpression B, double Scaling, int RankAxisOfA, int RankAxisOfB);
