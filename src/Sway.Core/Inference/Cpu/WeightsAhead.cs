namespace Sway.Inference.Cpu;

/// <summary>
/// The stored weights that are packed next, asked for while the present ones are multiplied: packing waits for memory, multiplying does
/// not. Each register tile asks for one output's weights, and only the last tiles do, so that the lines are still in the cache then.
/// </summary>
internal unsafe struct WeightsAhead
{
    private readonly PanelSource _weights;
    private readonly int _input;
    private readonly int _depth;
    private readonly int _end;
    private int _output;
    private int _wait;

    /// <param name="weights">The matrix.</param>
    /// <param name="panels">The panels packed next, perhaps none.</param>
    /// <param name="columns">Outputs of a panel.</param>
    /// <param name="input">The first input packed next.</param>
    /// <param name="tiles">How often <see cref="Next"/> will be called.</param>
    public WeightsAhead(PanelSource weights, Range panels, int columns, int input, int tiles)
    {
        _weights = weights;
        _input = input;
        _depth = Math.Min(MatrixProduct.PackedInputs(weights.Inputs), weights.Inputs - input);
        _output = panels.Start.Value * columns;
        _end = Math.Min(panels.End.Value * columns, weights.Outputs);
        _wait = Math.Max(0, tiles - Math.Max(0, _end - _output));
    }

    /// <summary>What the next register tile asks for.</summary>
    public WantedBytes Next()
    {
        if (_wait > 0 || _output >= _end)
        {
            _wait--;
            return default;
        }

        var address = _weights.Locate(_output++, _input, _depth, out var length);
        return new WantedBytes(address, length);
    }
}
