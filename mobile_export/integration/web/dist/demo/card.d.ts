import type { Quality } from "../index.js";
export declare class Card {
    readonly file: File;
    readonly element: HTMLElement;
    score: number | null;
    private readonly picture;
    private readonly frame;
    private readonly words;
    constructor(file: File);
    /** Shows what the photo got. */
    show({ score, attributes, map }: Quality, withMap: boolean): void;
    /** Shows why the photo has no score. */
    refuse(why: string): void;
    showMap(shown: boolean): void;
    remove(): void;
}
