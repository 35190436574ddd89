BeforeAll {
    . (Join-Path $PSScriptRoot common.ps1)
    $mlx = [IO.Path]::Combine($Root, 'tests', 'Fixtures', 'mlx')

    function Copy-Damaged([string] $Case, [string] $To) {
        $null = New-Item -ItemType Directory $To
        Get-ChildItem ([IO.Path]::Combine($mlx, 'repair', $Case)) -File | Where-Object Name -NE expected.json | Copy-Item -Destination $To
        $To
    }

    function Get-Base([string] $Case) {
        Join-Path $mlx (Get-Content ([IO.Path]::Combine($mlx, 'repair', $Case, 'expected.json')) -Raw | ConvertFrom-Json).model
    }
}

Describe 'Repair-MlxAdapter' {
    BeforeEach {
        $work = Join-Path $TestDrive ([guid]::NewGuid())
    }

    It 'completes the rank, says from what, and keeps the file as it was' {
        $adapter = Copy-Damaged missing-rank $work
        $before = Get-Content (Join-Path $adapter adapter_config.json) -Raw
        $result = Repair-MlxAdapter $adapter -BaseModel (Get-Base missing-rank)
        $result.Changed | Should -BeTrue
        $rank = $result.Fields | Where-Object Name -EQ lora_parameters.rank
        $rank.Before | Should -BeNullOrEmpty
        $rank.After | Should -BeExactly $result.Rank
        $rank.Origin | Should -Match tensors
        (Get-Content (Join-Path $adapter adapter_config.json) | ConvertFrom-Json).lora_parameters.rank | Should -Be $result.Rank
        Get-Content $result.Backups[0] -Raw | Should -BeExactly $before
        (Repair-MlxAdapter $adapter -BaseModel (Get-Base missing-rank)).Changed | Should -BeFalse
    }

    It 'asks for a scale that nothing records, and takes it from -Scale' {
        $adapter = Copy-Damaged missing-scale $work
        $before = Get-FileHash (Join-Path $adapter adapter_config.json)
        Repair-MlxAdapter $adapter -BaseModel (Get-Base missing-scale) -ErrorVariable problem -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $problem[0].FullyQualifiedErrorId | Should -BeExactly 'ConversionRefused,Sway.PowerShell.Commands.RepairMlxAdapterCommand'
        $problem[0].Exception.Refusals[0].Category | Should -Be MissingScale
        (Get-FileHash (Join-Path $adapter adapter_config.json)).Hash | Should -BeExactly $before.Hash
        (Repair-MlxAdapter $adapter -BaseModel (Get-Base missing-scale) -Scale 3.5).Scale | Should -Be 3.5
    }

    It 'changes nothing under -WhatIf' {
        $adapter = Copy-Damaged missing-rank $work
        $before = Get-FileHash (Join-Path $adapter *)
        Repair-MlxAdapter $adapter -BaseModel (Get-Base missing-rank) -WhatIf | Should -BeNullOrEmpty
        (Get-FileHash (Join-Path $adapter *)).Hash | Should -Be $before.Hash
    }

    It 'touches tensors only with -UpdateLayout' {
        $adapter = Copy-Damaged unsloth-per-module $work
        $before = Get-FileHash (Join-Path $adapter adapters.safetensors)
        Repair-MlxAdapter $adapter -BaseModel (Get-Base unsloth-per-module) -ErrorVariable problem -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $problem[0].Exception.Refusals[0].Category | Should -Be RankMismatch
        (Get-FileHash (Join-Path $adapter adapters.safetensors)).Hash | Should -BeExactly $before.Hash
        $result = Repair-MlxAdapter $adapter -BaseModel (Get-Base unsloth-per-module) -UpdateLayout
        $result.TensorChanges | Should -Not -BeNullOrEmpty
        $result.Backups | Should -HaveCount 2
        Compare-LoraAdapter $adapter ([IO.Path]::Combine($mlx, 'repair', 'unsloth-per-module')) |
            ForEach-Object RelativeDifference | Measure-Object -Maximum | ForEach-Object Maximum | Should -BeLessThan 1e-6
    }

    It 'refuses whole weights beside factors with the reason' {
        $adapter = Copy-Damaged unsloth-cpt-mixed $work
        Repair-MlxAdapter $adapter -BaseModel (Get-Base unsloth-cpt-mixed) -UpdateLayout -ErrorVariable problem -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $problem[0].Exception.Refusals.Category | Should -Contain MixedFullTensors
    }

    It 'repairs every adapter of a pipeline, and hands each on' {
        $null = New-Item -ItemType Directory $work
        foreach ($case in 'missing-rank', 'missing-num-layers', 'missing-fine-tune-type-lora') {
            $null = Copy-Damaged $case (Join-Path $work $case)
        }

        $results = Get-ChildItem $work -Directory | Repair-MlxAdapter -BaseModel (Get-Base missing-rank) -PassThru
        $results | Should -HaveCount 3
        $results | Should -BeOfType Sway.Adapters.LoraAdapterInfo
        $results | ConvertTo-PeftAdapter -BaseModel (Get-Base missing-rank) -Destination (Join-Path $work peft) | Should -HaveCount 3
    }

    It 'shows a table' {
        Repair-MlxAdapter (Copy-Damaged missing-rank $work) -BaseModel (Get-Base missing-rank) | Out-String -Width 120 | Should -Match 'Changed +Method +Rank'
    }

    It 'takes no number that is none' {
        { Repair-MlxAdapter (Copy-Damaged missing-scale $work) -Scale ([double]::NaN) } | Should -Throw -ErrorId 'ParameterInvalid,*'
    }
}
